// A ModelRequest as a Chat Completions request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The body: the parameters' members, without those that the relay sets itself.
std::string openai_body(const ModelRequest& request);

// The same body for a server that does not know `stream_options`, which is the last member.
std::string without_stream_options(std::string_view body);

// Refuses what belongs to another dialect (x_anthropic and the like); everything else is passed on unchanged.
std::optional<UnsupportedField> openai_refuses(const ModelRequest& request);

}  // namespace tokenrelay::upstream
