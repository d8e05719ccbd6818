#include "service/surface/answer_headers.h"

#include "service/json/sax.h"

namespace tokenrelay::surface {

void add_answer_headers(http::HeaderList& headers, const upstream::AnswerHeaders& told, Protocol protocol) {
  if (!told.request_id.empty()) headers.emplace_back("Upstream-Request-Id", told.request_id);
  if (told.kind != own_kind(protocol)) return;
  for (const auto& field : told.fields) headers.push_back(field);
}

void add_answer_headers(http::HeaderList& headers, const relay::Stream& stream, Protocol protocol) {
  if (stream.answer_headers()) return add_answer_headers(headers, *stream.answer_headers(), protocol);
  upstream::AnswerHeaders kept;
  std::string scratch;
  json::Reader in(stream.row().done, scratch);
  in.object([&](std::string_view key) {
    if (key == "upstream_request_id") kept.request_id = in.string();
  });
  add_answer_headers(headers, kept, protocol);
}

}  // namespace tokenrelay::surface
