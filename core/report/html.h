// Small pieces of HTML for the report.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/figures/image.h"

namespace latent::html {

/// Bytes as base64 (RFC 4648, padded).
std::string base64(std::string_view bytes);

/// <img> with the PNG inside, shown at half its pixels; `alt` is read out.
std::string image(const Image& image, std::string_view alt);

/// A table; cells are HTML. Columns from `first_number` on are set right-aligned. A row of one cell
/// spans all columns.
std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows, size_t first_number);

/// The page's style sheet, colours of figures included.
std::string style();

}  // namespace latent::html
