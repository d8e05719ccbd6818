#include "service/surface/content.h"

#include <utility>

namespace tokenrelay::surface {

json::Value content_of(json::Value parts, json::Value if_empty) {
  if (parts.empty()) return if_empty;
  const bool plain =
      parts.size() == 1 && parts[0].size() == 2 && parts[0].contains("text") && parts[0]["type"] == "text";
  return plain ? std::move(parts[0]["text"]) : std::move(parts);
}

std::string numbered(const std::string& name, size_t number) {
  return name + "[" + std::to_string(number) + "]";
}

}  // namespace tokenrelay::surface
