// From Google's error object to a Error (DIALECTS.md, Gemini: errors).
//
// {"error":{"code","message","status","details":[…]}}, alone or as the first element of an array. There is no
// retry-after header: RetryInfo.retryDelay says it. A bad key is a 400 whose ErrorInfo has the reason API_KEY_INVALID.
#pragma once

#include <string_view>

#include "service/client/http_client.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// `head` of a status that is not 2xx: an answer. Of 2xx: the error came in the stream.
Error gemini_error(const client::HttpHead& head, std::string_view body);

}  // namespace tokenrelay::upstream
