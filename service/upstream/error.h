// From what an upstream says of an error, by status or in its stream, to a Error (DIALECTS.md, Every upstream:
// refusals and retries).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/client/http_client.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::json {
class Reader;
}

namespace tokenrelay::upstream {

// An error in any of the shapes that are about: a string, a number, {"message","type","code"} with `code` a number, a
// string or null, {"detail"}, and any of them under "error".
struct ProviderError {
  std::string message;
  std::string code;  // as text
  std::string type;
};

// Reads the value at the reader; nullopt for null (and false).
std::optional<ProviderError> read_error(json::Reader& in);

// The body of an error answer, or the payload of an error event: JSON, or text.
ProviderError parse_error_body(std::string_view body);

Error error_of_status(const client::HttpHead& head, const ProviderError& error);
Error error_in_stream(const ProviderError& error, int http_status);
Error error_of_transfer(const client::TransferEnd& end, int http_status);
Error protocol_error(std::string message, int http_status);

// At most 500 bytes of valid UTF-8 on one line, without `secret`.
std::string client_message(std::string_view text, std::string_view secret);

}  // namespace tokenrelay::upstream
