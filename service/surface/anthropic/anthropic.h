// Anthropic Messages: POST /v1/messages, stream and not (CLIENTS.md, Messages).
//
// What only Anthropic's own models know (members of the request that have no neutral name, tools that run at the
// provider, cache marks, the version and beta headers) goes to upstreams of that kind as it came. Others are not told
// of headers and cache marks, which change no answer; of the rest they refuse by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/router.h"
#include "service/surface/answer.h"

namespace tokenrelay::surface {

void add_anthropic_routes(http::Router& router, api::Api& api);

struct AnthropicHeaders {
  std::string version, beta;  // "": not sent
};

struct AnthropicRequest : SurfaceRequest {
  FieldName field_name;  // to the client's own names
};

// `kind_of` tells the kind of the upstream that a model goes to.
tl::expected<AnthropicRequest, Error> parse_anthropic_request(
    std::string_view body, int max_depth, const AnthropicHeaders& headers,
    const std::function<std::string(const std::string& model)>& kind_of);

struct MessageFacts {
  std::string id, model;  // msg_…
};

// message_start, content blocks, message_delta, message_stop; an error instead of the last two.
std::unique_ptr<Encoder> make_anthropic_encoder(const MessageFacts& facts);

// The message object.
json::Value anthropic_message(const MessageFacts& facts, const Gathered& gathered);

// What both are written from.
std::string anthropic_stop_reason(const Done& done);
json::Value anthropic_usage(const Done& done);

// An opaque event as the block that carries it. Anthropic's own redacted thinking is one; what another provider wants
// back travels in one, for it to come back with the next turn. Null: a signature, which belongs to a thinking block.
json::Value opaque_block(const json::Value& opaque);
// What another provider said, out of the data of such a block; null: it is Anthropic's own.
json::Value foreign_opaque(const std::string& data);

}  // namespace tokenrelay::surface
