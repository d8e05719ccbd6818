// The bytes before a body: status line and headers (RFC 9112 4, 5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/http/reply.h"

namespace tokenrelay::http {

std::string_view reason_of(int status);
// RFC 9110 5.6.7: "Sat, 21 Nov 2026 09:00:00 GMT". The text of the last second is cached per thread.
std::string http_date(int64_t wall_ms);

void append_status_line(std::string& out, int status);
// A header whose name or value could end its line is left out, so that a handler cannot split the response.
void append_header(std::string& out, std::string_view name, std::string_view value);
void append_headers(std::string& out, const HeaderList& headers);

// The whole head of a reply with its body's length; `common` holds the headers of every reply to the request.
std::string reply_head(const Reply& reply, const HeaderList& common, int64_t wall_ms, std::string_view connection);

}  // namespace tokenrelay::http
