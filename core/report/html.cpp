#include "core/report/html.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/figures/svg.h"

namespace latent::html {
namespace {

constexpr const char* kStyle = R"(
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ink-paper);color:var(--ink-text);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:860px;margin:0 auto;padding:40px 20px 72px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.01em;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:20px;line-height:1.3;margin:48px 0 12px}
p{margin:0 0 12px;max-width:75ch}
.muted,figcaption,td small,td i{color:var(--ink-muted)}
td i{font-style:normal;margin-left:6px}
.below{margin-top:16px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;
  margin:24px 0 0}
.card{background:var(--ink-soft);border-radius:10px;padding:12px 16px 14px}
.card b{display:block;font-size:26px;font-weight:600;line-height:1.25;
  font-variant-numeric:tabular-nums}
.card span,.card small{display:block;font-size:13px;line-height:1.45;color:var(--ink-muted)}
figure{margin:0 0 32px}
figure h3{font-size:16px;font-weight:600;margin:0 0 8px}
figcaption{font-size:14px;margin-top:8px;max-width:75ch}
.scroll{overflow-x:auto}
.scroll svg{display:block;width:100%;min-width:560px;height:auto}
.paper{background:#fff;border-radius:10px;max-width:100%}
.wide{min-width:560px}
.paper img{display:block;width:100%;height:auto;border-radius:10px}
svg text{font-family:inherit}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:7px 16px 7px 0;
  border-bottom:1px solid var(--ink-grid)}
th{font-weight:600;color:var(--ink-muted)}
th:last-child,td:last-child{padding-right:0}
td:not(:first-child),th{white-space:nowrap}
.n{text-align:right}
td small{display:block;font-size:12.5px;line-height:1.4;min-width:200px;max-width:60ch}
pre{background:var(--ink-soft);border-radius:10px;padding:14px 16px;margin:0;overflow-x:auto}
pre,code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 24px;margin:0;font-size:14px}
dt{color:var(--ink-muted)}
dd{margin:0;overflow-wrap:anywhere}
@media (max-width:520px){main{padding:24px 16px 48px}h1{font-size:25px}h2{margin-top:36px}
  dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
  .cards{grid-template-columns:1fr 1fr}.card b{font-size:21px}}
@media print{main{max-width:none;padding:0}figure,.card,tr{break-inside:avoid}}
)";

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string image(const Image& image, std::string_view alt) {
  const int width = image.width() / 2, height = image.height() / 2;
  // A wide figure scrolls on a phone instead of becoming too small to read.
  const bool wide = width > 560 && 2 * width > 3 * height;
  return cat("<div class=\"scroll\"><div class=\"paper", wide ? " wide" : "",
             "\" style=\"width:", width, "px\"><img width=\"", width, "\" height=\"", height,
             "\" alt=\"", escape_xml(alt), "\" src=\"data:image/png;base64,",
             base64(encode_png(image)), "\"></div></div>\n");
}

std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows, size_t first_number) {
  std::string out = "<div class=\"scroll\"><table>\n<thead><tr>";
  const auto side = [&](size_t column) { return column >= first_number ? " class=\"n\"" : ""; };
  for (size_t i = 0; i < head.size(); ++i)
    out += cat("<th scope=\"col\"", side(i), ">", head[i], "</th>");
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    out +=
        row.size() == 1 ? cat("<tr><td colspan=\"", head.size(), "\">", row[0], "</td>") : "<tr>";
    for (size_t i = 0; row.size() > 1 && i < row.size(); ++i)
      out += cat("<td", side(i), ">", row[i], "</td>");
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string style() {
  return cat("<style>\n:root{color-scheme:light dark;", ink_variables(false),
             "}\n@media (prefers-color-scheme:dark){:root{", ink_variables(true), "}}", kStyle,
             "</style>\n");
}

}  // namespace latent::html
