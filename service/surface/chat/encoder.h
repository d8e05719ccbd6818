// A stream as Chat Completions: events, and one whole object.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"

namespace tokenrelay::surface {

// chat.completion.chunk events, then `[DONE]`.
std::unique_ptr<Encoder> make_chat_encoder(const relay::Stream& stream, bool include_usage);

// The chat.completion object.
http::Reply chat_completion(const relay::Stream& stream, const Transcript& transcript);

// finish_reason in this protocol's terms.
std::string chat_finish_reason(const Done& done);
json::Value chat_usage(const Done& done);  // null if the upstream did not count

}  // namespace tokenrelay::surface
