// A ModelRequest in the words of Chat Completions.
#pragma once

#include <optional>
#include <string>

#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The parameters' members, then what the relay itself sets, which wins.
std::string openai_body(const ModelRequest& request, bool with_stream_options);

// What only another dialect knows (x_anthropic and the like); everything else is passed on as it came.
std::optional<UnsupportedField> openai_refuses(const ModelRequest& request);

}  // namespace tokenrelay::upstream
