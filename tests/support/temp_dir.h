// TempDir: a fresh directory under /tmp, removed with all that is in it at the end of its owner.
#pragma once

#include <filesystem>
#include <string>

namespace tokenrelay::support {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& file);  // "" if it is not there
void write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace tokenrelay::support
