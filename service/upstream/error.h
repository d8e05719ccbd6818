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

// An error in any shape seen in practice: a string, a number, {"message","type","code"} where `code` is a number, a
// string or null, {"detail"}, and each of these inside "error".
struct ProviderError {
  std::string message;
  std::string code;  // as text
  std::string type;
};

// Reads the reader's next value; nullopt for null and false.
std::optional<ProviderError> read_error(json::Reader& in);

// Reads the body of an error response, or the payload of an error event: JSON or text.
ProviderError parse_error_body(std::string_view body);

Error error_of_status(const client::HttpHead& head, const ProviderError& error);
Error error_in_stream(const ProviderError& error, int http_status);
Error error_of_transfer(const client::TransferEnd& end, int http_status);
Error protocol_error(std::string message, int http_status);

// At most 500 bytes of valid UTF-8 on one line, without what is nobody's business (secrets.h).
std::string client_message(std::string_view text, const ProviderOptions& options);

}  // namespace tokenrelay::upstream
