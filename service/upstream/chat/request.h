// A ModelRequest in the words of Chat Completions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// The parameters' members, then what the relay itself sets, which wins.
std::string openai_body(const ModelRequest& request, bool with_stream_options);

// What only another dialect knows (x_anthropic and the like); everything else is passed on as it came.
std::optional<UnsupportedField> openai_refuses(const ModelRequest& request);

std::vector<std::string> openai_headers(const ModelRequest& request, const ProviderOptions& options);

std::string joined_url(const std::string& base_url, const std::string& path);

}  // namespace tokenrelay::upstream
