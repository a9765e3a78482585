// Sections of README.md whose code a test builds from a file of its own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace latent {

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// README.md's section shows `file` (without its first line, which says what it is) in under 40 lines.
inline void expect_shown(const std::string& section, const std::string& file) {
  const std::filesystem::path root = LATENT_SOURCE_DIR;
  if (!std::filesystem::exists(root / "README.md")) GTEST_SKIP() << "no sources here";
  const std::string readme = text_of(root / "README.md"), code = text_of(root / file);
  const size_t begin = readme.find("## " + section + "\n"), end = readme.find("\n## ", begin);
  ASSERT_NE(begin, std::string::npos);
  const std::string shown = readme.substr(begin, end - begin);
  EXPECT_NE(shown.find("```cpp\n" + code.substr(code.find('\n') + 1) + "```"), std::string::npos);
  EXPECT_LT(std::ranges::count(shown, '\n'), 40);
}

}  // namespace latent
