// LeftOut: the kinds of what an upstream sent and the log has no event for ("inlineData, executableCode"), for the
// error of an answer that had nothing else. Bounds: 200 bytes; what is beyond is not named. Threads: any one.
#pragma once

#include <string>
#include <string_view>

#include "service/json/utf8.h"

namespace tokenrelay::upstream {

class LeftOut {
 public:
  void add(std::string_view kind) {
    const std::string known = json::repaired(kind);
    if (known.empty() || names_.size() + known.size() > max_bytes || names_.find(known) != names_.npos) return;
    if (!names_.empty()) names_ += ", ";
    names_ += known;
  }
  std::string_view names() const { return names_; }  // "" if there is nothing

 private:
  static constexpr size_t max_bytes = 200;
  std::string names_;
};

}  // namespace tokenrelay::upstream
