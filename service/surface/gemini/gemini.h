// Gemini: POST /v1beta/models/{model}:streamGenerateContent and :generateContent, the same under /v1
// (CLIENTS.md, Gemini).
//
// A stream is server-sent events with `alt=sse`, else one JSON array, told piece by piece. A function call is told
// whole, when what follows it comes: the wire has no other way. One whose arguments are no JSON object in the end is
// not told, and the answer ends with MALFORMED_FUNCTION_CALL, as Google's own do.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/router.h"
#include "service/surface/answer.h"

namespace tokenrelay::surface {

void add_gemini_routes(http::Router& router, api::Api& api);

// `model` is the path's, `upstream_kind` that of its upstream: only `gemini` is told what only Google knows; for others
// it is refused by the client's own name. One candidate only.
tl::expected<SurfaceRequest, Error> read_gemini_request(const json::Value& body, const std::string& model,
                                                        std::string_view upstream_kind);

// The client's own name for a neutral field.
std::string gemini_field(const std::string& neutral_field);

// What every response says beside its content.
struct GeminiFacts {
  std::string id, model;
};
GeminiFacts gemini_facts(const relay::Stream& stream);

// GenerateContentResponse chunks, as events or as the elements of an array.
std::unique_ptr<Encoder> make_gemini_encoder(const GeminiFacts& facts, bool as_array);

// One GenerateContentResponse.
std::string gemini_response(const GeminiFacts& facts, const Gathered& gathered);

}  // namespace tokenrelay::surface
