#include "core/config/files.h"

#include <glob.h>

#include <cstdlib>

#include "core/base/spelling.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

std::string environment(const std::string& name, const std::string& text) {
  const char* value = std::getenv(name.c_str());
  if (!value) throw UserError(cat("`", text, "`: the variable $", name, " is not set"));
  return value;
}

/// `~` at the beginning, $VAR and ${VAR} anywhere.
std::string expand(const std::string& text) {
  std::string out;
  size_t i = 0;
  if (text == "~" || text.rfind("~/", 0) == 0) {
    out = environment("HOME", text);
    i = 1;
  }
  while (i < text.size()) {
    if (text[i] != '$') {
      out += text[i++];
      continue;
    }
    const bool braces = i + 1 < text.size() && text[i + 1] == '{';
    const size_t begin = i + (braces ? 2 : 1);
    size_t end = begin;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      ++end;
    if (end == begin || (braces && (end == text.size() || text[end] != '}')))
      throw UserError(cat("`", text, "`: a $ is followed by the name of a variable"));
    out += environment(text.substr(begin, end - begin), text);
    i = end + (braces ? 1 : 0);
  }
  return out;
}

bool is_glob(const std::string& text) { return text.find_first_of("*?[") != text.npos; }

/// What a name or pattern matches, in alphabetical order. A file called like a pattern is that file.
std::vector<fs::path> matches(const fs::path& pattern) {
  std::error_code ignored;
  if (fs::exists(pattern, ignored)) return {pattern};
  if (!is_glob(pattern.string())) return {};
  glob_t found{};
  std::vector<fs::path> all;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    all.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return all;
}

}  // namespace

fs::path data_folder() {
  if (const char* folder = std::getenv("LATENT_DATA"); folder && *folder) return folder;
  const char* home = std::getenv("HOME");
  return fs::path(home ? home : ".") / ".cache" / "latent";
}

fs::path folder_of(const Mark& mark) {
  if (mark.source.empty()) return data_folder();  // a default: no file names it
  return mark.line > 0 ? fs::path(mark.source).parent_path() : fs::path();
}

std::vector<fs::path> resolve_paths(const std::string& text, const fs::path& folder) {
  const fs::path wanted = expand(text);
  std::vector<fs::path> places;
  if (wanted.is_absolute()) {
    places = {wanted};
  } else {
    places = {(folder / wanted).lexically_normal(), data_folder() / wanted};
    if (places[0] == places[1]) places.pop_back();
  }
  std::vector<std::string> tried;
  for (const fs::path& place : places) {
    if (auto found = matches(place); !found.empty()) return found;
    tried.push_back(fs::absolute(place).string());
  }
  throw UserError(cat("`", text, "` is not found; tried ", join(tried, " and "),
                      wanted.is_absolute() ? "" : " ($LATENT_DATA says where data lie)"));
}

fs::path resolve_path(const std::string& text, const fs::path& folder) {
  auto found = resolve_paths(text, folder);
  if (found.size() > 1)
    throw UserError(cat("`", text, "` matches ", found.size(), " files, one is wanted"));
  return found.front();
}

std::vector<fs::path> resolve_paths(const Value& value) {
  std::vector<fs::path> all;
  for (const std::string& text : value.as_strings()) {
    try {
      for (auto& path : resolve_paths(text, folder_of(value.mark())))
        all.push_back(std::move(path));
    } catch (const UserError& e) {
      throw error_at(value.mark(), "", e.what());
    }
  }
  return all;
}

std::optional<fs::path> find_beside(const std::string& text, const fs::path& folder) {
  // What is spelt with variables keeps its meaning wherever the file goes.
  if (text.empty() || text[0] == '~' || text.find('$') != text.npos || fs::path(text).is_absolute())
    return std::nullopt;
  const fs::path place = fs::absolute(folder / text).lexically_normal();
  if (matches(place).empty()) return std::nullopt;
  return place;
}

}  // namespace latent
