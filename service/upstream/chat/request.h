// A ModelRequest as a Chat Completions request.
#pragma once

#include <optional>
#include <string>

#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The body: the parameters' members, without those that the relay sets itself.
std::string openai_body(const ModelRequest& request, bool with_stream_options);

// Refuses what belongs to another dialect (x_anthropic and the like); everything else is passed on unchanged.
std::optional<UnsupportedField> openai_refuses(const ModelRequest& request);

}  // namespace tokenrelay::upstream
