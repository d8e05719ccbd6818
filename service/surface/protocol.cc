#include "service/surface/protocol.h"

#include <utility>

namespace tokenrelay::surface {
namespace {

constexpr std::pair<std::string_view, Protocol> roots[] = {
    {"/v1/chat", Protocol::chat},          {"/v1/models", Protocol::chat}, {"/v1/responses", Protocol::responses},
    {"/v1/messages", Protocol::anthropic}, {"/v1beta", Protocol::gemini},  {"/v1beta1", Protocol::gemini},
    {"/v1alpha", Protocol::gemini},        {"/api/chat", Protocol::ui},
};

// What else OpenAI's clients ask for below /v1.
constexpr std::string_view openai_names[] = {
    "assistants", "audio",   "batches",     "completions",   "containers",  "conversations", "embeddings",
    "evals",      "files",   "fine_tuning", "images",        "moderations", "organization",  "realtime",
    "skills",     "threads", "uploads",     "vector_stores", "videos",
};

// Methods of Gemini's models: also under /v1/models, whose other routes are OpenAI's.
constexpr std::string_view gemini_methods[] = {
    ":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent", ":batchEmbedContents", ":predict",
};

bool below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::optional<Protocol> protocol_of_path(std::string_view path) {
  for (const auto method : gemini_methods) {
    if (path.ends_with(method)) return Protocol::gemini;
  }
  for (const auto& [root, protocol] : roots) {
    if (below(path, root)) return protocol;
  }
  constexpr std::string_view openai = "/v1/";
  if (!path.starts_with(openai)) return std::nullopt;
  for (const auto name : openai_names) {
    if (below(path.substr(openai.size()), name)) return Protocol::chat;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Protocol> protocol_of(const http::Request& request) {
  const std::string_view path = std::string_view(request.path).substr(0, request.path.find('?'));
  const auto protocol = protocol_of_path(path);
  const bool shared = protocol == Protocol::chat && !below(path, "/v1/chat");
  return shared && request.header("anthropic-version") ? Protocol::anthropic : protocol;
}

std::string_view own_kind(Protocol protocol) {
  switch (protocol) {
    case Protocol::chat:
      return "openai";
    case Protocol::responses:
      return "openai-responses";
    case Protocol::anthropic:
      return "anthropic";
    case Protocol::gemini:
      return "gemini";
    case Protocol::ui:
      break;
  }
  return {};
}

}  // namespace tokenrelay::surface
