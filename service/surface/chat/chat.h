// OpenAI Chat Completions: POST /v1/chat/completions (stream and not), and GET /v1/models (CLIENTS.md, Chat
// Completions).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/router.h"
#include "service/surface/answer.h"

namespace tokenrelay::surface {

void add_chat_routes(http::Router& router, api::Api& api);
void add_model_routes(http::Router& router, api::Api& api);

struct ChatRequest : SurfaceRequest {
  bool include_usage = false;  // stream_options.include_usage
};

// Everything but what the relay needs itself goes into `parameters` as it came: the upstream's dialect translates or
// refuses it. n = 1 only.
tl::expected<ChatRequest, Error> parse_chat_request(std::string_view body, int max_depth);

// chat.completion.chunk events, then `[DONE]`.
std::unique_ptr<Encoder> make_chat_encoder(const relay::Stream& stream, bool include_usage);

// The chat.completion object.
http::Reply chat_completion(const relay::Stream& stream, const Gathered& gathered);

// finish_reason as this protocol says it.
std::string chat_finish_reason(const Done& done);
json::Value chat_usage(const Done& done);  // null: nobody counted

}  // namespace tokenrelay::surface
