// Turns what an upstream reports as an error, by status or in its stream, into an Error (DIALECTS.md, Every upstream:
// refusals and retries).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/client/http_client.h"
#include "service/upstream/providers.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::json {
class Reader;
}

namespace tokenrelay::upstream {

// An error in any shape seen in practice (DIALECTS.md, Every upstream: error objects): a string, a number, an object
// with a message, a code and a type under one of their names, each of these in an array or inside "error".
struct ProviderError {
  std::string message;
  std::string code;  // as text
  std::string type;
};

// Reads the reader's next value; nullopt for what means "no error": null, false, 0, "", {}, [] and an object that says
// nothing.
std::optional<ProviderError> read_error(json::Reader& in);

// Reads the body of an error response, or the payload of an error event: JSON or text.
ProviderError parse_error_body(std::string_view body);

// The error that a payload is, which has none of the dialect's own members and none called "error":
// {"code":"Throttling","message":…}, {"code":500,"msg":…,"success":false}, {"base_resp":{"status_code":1002,…}},
// {"errors":[…]}, or one of them in an array. nullopt: nothing in it says that it is one.
std::optional<ProviderError> error_without_name(std::string_view payload);

// Whether a word for why a model stopped, which its dialect does not know, names a failure: "timeout", "FAILED",
// "internal_error", "abort". What was said until then may be half an answer.
bool is_failure_reason(std::string_view word);
Error error_of_reason(std::string_view word);

Error error_of_status(const client::HttpHead& head, const ProviderError& error);
Error error_in_stream(const ProviderError& error, int http_status);
Error error_of_transfer(const client::TransferEnd& end, int http_status);
Error protocol_error(std::string message, int http_status);
// With what the upstream sent instead, if that may be words and not a page or half an object.
Error protocol_error(std::string message, std::string_view sent, int http_status);

// At most 500 bytes of valid UTF-8 on one line, without what is nobody's business (secrets.h).
std::string client_message(std::string_view text, const ProviderOptions& options);

}  // namespace tokenrelay::upstream
