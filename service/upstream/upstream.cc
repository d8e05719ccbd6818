#include "service/upstream/upstream.h"

#include <algorithm>

#include "service/json/joiner.h"
#include "service/json/utf8.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::upstream {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::upstream_unreachable:
      return "upstream_unreachable";
    case ErrorCode::upstream_timeout:
      return "upstream_timeout";
    case ErrorCode::upstream_truncated:
      return "upstream_truncated";
    case ErrorCode::upstream_protocol:
      return "upstream_protocol";
    case ErrorCode::upstream_error:
      return "upstream_error";
    case ErrorCode::upstream_rate_limited:
      return "upstream_rate_limited";
    case ErrorCode::upstream_overloaded:
      return "upstream_overloaded";
    case ErrorCode::upstream_auth:
      return "upstream_auth";
    case ErrorCode::upstream_bad_request:
      return "upstream_bad_request";
    case ErrorCode::upstream_empty:
      return "upstream_empty";
  }
  return "upstream_error";
}

const OwnRequest* ModelRequest::own_of(std::string_view kind) const {
  return own && own->kind == kind ? own.get() : nullptr;
}

Prepared prepare(const Provider& provider, const ModelRequest& request) {
  if (request.untranslated && request.own_of(provider.kind()) == nullptr) {
    return tl::make_unexpected(*request.untranslated);
  }
  return provider.prepare(request);
}

namespace {

std::string cut(std::string_view foreign, size_t max_bytes) {
  std::string out = json::repaired(foreign);
  out.resize(json::utf8_prefix(out, max_bytes));
  return out;
}

}  // namespace

std::string raw_reason(std::string_view word) {
  return cut(word, 100);
}

std::string response_id_of(std::string_view text) {
  const bool sane =
      text.size() <= 256 && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return sane ? std::string(text) : std::string();
}

std::string stop_sequence_of(std::string_view text) {
  return cut(text, 1 << 10);
}

}  // namespace tokenrelay::upstream
