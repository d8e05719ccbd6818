// A ModelRequest as a Chat Completions request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/own_request.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The body: the parameters' members, without those that the relay sets itself.
std::string openai_body(const ModelRequest& request);

// The client's own body, as a stream that counts its tokens.
std::string openai_own_body(const OwnRequest& own, std::string_view model);

// The same body for a server that does not know `stream_options`.
std::string without_stream_options(std::string_view body);

// Refuses what belongs to another dialect (x_anthropic and the like); everything else is passed on unchanged.
std::optional<UnsupportedField> openai_refuses(const ModelRequest& request);

}  // namespace tokenrelay::upstream
