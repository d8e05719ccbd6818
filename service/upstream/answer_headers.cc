#include "service/upstream/answer_headers.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace tokenrelay::upstream {
namespace {

constexpr std::array<std::string_view, 3> prefixes = {"anthropic-ratelimit-", "x-ratelimit-", "x-codex-"};
constexpr std::array<std::string_view, 4> ids = {"request-id", "x-request-id", "x-goog-request-id", "apim-request-id"};
constexpr size_t max_fields = 64, max_field_bytes = 1 << 10, max_id_bytes = 256;

bool is_visible(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

bool goes_down(std::string_view name) {
  return name == "openai-processing-ms" ||
         std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return name.starts_with(prefix); });
}

}  // namespace

AnswerHeaders answer_headers(const client::HttpHead& head, std::string_view kind) {
  AnswerHeaders out;
  out.kind = kind;
  for (const auto& [name, value] : head.fields) {
    if (!is_visible(value) || value.empty()) continue;
    const bool is_id = std::find(ids.begin(), ids.end(), name) != ids.end();
    if (is_id && out.request_id.empty() && value.size() <= max_id_bytes) out.request_id = value;
    if (goes_down(name) && out.fields.size() < max_fields && value.size() <= max_field_bytes) {
      out.fields.emplace_back(name, value);
    }
  }
  return out;
}

}  // namespace tokenrelay::upstream
