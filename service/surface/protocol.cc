#include "service/surface/protocol.h"

#include <utility>

namespace tokenrelay::surface {
namespace {

constexpr std::pair<std::string_view, Protocol> roots[] = {
    {"/v1/chat/completions", Protocol::chat}, {"/v1/models", Protocol::chat}, {"/v1/responses", Protocol::responses},
    {"/v1/messages", Protocol::anthropic},    {"/v1beta", Protocol::gemini},  {"/api/chat", Protocol::ui},
};

}  // namespace

std::optional<Protocol> protocol_of(std::string_view path) {
  // Also under /v1/models, whose other routes are OpenAI's.
  if (path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent")) return Protocol::gemini;
  for (const auto& [root, protocol] : roots) {
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/')) return protocol;
  }
  return std::nullopt;
}

}  // namespace tokenrelay::surface
