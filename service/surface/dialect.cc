#include "service/surface/dialect.h"

#include <utility>

namespace tokenrelay::surface {
namespace {

constexpr std::pair<std::string_view, Dialect> roots[] = {
    {"/v1/chat/completions", Dialect::chat}, {"/v1/models", Dialect::chat}, {"/v1/responses", Dialect::responses},
    {"/v1/messages", Dialect::anthropic},    {"/v1beta", Dialect::gemini},  {"/api/chat", Dialect::ui},
};

}  // namespace

std::optional<Dialect> dialect_of(std::string_view path) {
  // Also under /v1/models, whose other routes are OpenAI's.
  if (path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent")) return Dialect::gemini;
  for (const auto& [root, dialect] : roots) {
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/')) return dialect;
  }
  return std::nullopt;
}

}  // namespace tokenrelay::surface
