// Turns Google's error object into an Error (DIALECTS.md, Gemini: errors).
//
// {"error":{"code","message","status","details":[…]}}, alone or as the first element of an array. RetryInfo.retryDelay
// takes the place of a retry-after header. A bad key is a 400 whose ErrorInfo has the reason API_KEY_INVALID.
#pragma once

#include <string_view>

#include "service/client/http_client.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// If the status of `head` is 2xx, the error arrived in the stream.
Error gemini_error(const client::HttpHead& head, std::string_view body);

}  // namespace tokenrelay::upstream
