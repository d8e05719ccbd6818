// What an upstream's words must not carry to a client: an upstream may echo the head of the request that it refuses.
#pragma once

#include <string>

#include "service/upstream/providers.h"

namespace tokenrelay::upstream {

// Puts *** in place of the key and the configured headers' values, as they are and in the forms in which servers echo
// them (percent-encoded, hex, base64 at any offset, so also of "user:key"), and in place of the upstream's host, its
// own part of the path, and the target of a request line.
std::string without_secrets(std::string text, const ProviderOptions& options);

}  // namespace tokenrelay::upstream
