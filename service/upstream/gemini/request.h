// A ModelRequest in the words of streamGenerateContent (DIALECTS.md, Gemini: request).
//
// Members of x_gemini.body are the client's own: `tools` are added, `generationConfig` and `toolConfig` completed, and
// the others replace what was translated. Asked through them or not, the relay carries one candidate, text only, no
// log probabilities, and whole function calls; what asks for more is refused.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// What cannot be carried over is named.
tl::expected<std::string, UnsupportedField> gemini_body(const ModelRequest& request);

// The key is sent as x-goog-api-key, never in the URL. One of the configuration's headers replaces ours of that name.
std::vector<std::string> gemini_headers(const ModelRequest& request, const ProviderOptions& options);

// `base_url` with or without its version at the end (or, for Vertex, as far as its publisher); `model` with or without
// "models/" before it.
std::string gemini_url(const std::string& base_url, const std::string& model);

}  // namespace tokenrelay::upstream
