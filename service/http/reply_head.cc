#include "service/http/reply_head.h"

#include <ctime>

#include "service/http/grammar.h"

namespace tokenrelay::http {

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";  // RFC 9112 4: may be empty
  }
}

std::string http_date(int64_t wall_ms) {
  thread_local int64_t second = -1;
  thread_local std::string text;
  if (wall_ms / 1000 == second) return text;
  second = wall_ms / 1000;
  // strftime would follow the locale.
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t seconds = second;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char line[64];
  std::snprintf(line, sizeof line, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday], utc.tm_mday,
                months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  text = line;
  return text;
}

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  out += std::to_string(status);
  out += ' ';
  out += reason_of(status);
  out += "\r\n";
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return;
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_headers(std::string& out, const HeaderList& headers) {
  for (const auto& [name, value] : headers) append_header(out, name, value);
}

std::string reply_head(const Reply& reply, const HeaderList& common, int64_t wall_ms, std::string_view connection) {
  std::string out;
  out.reserve(384);
  append_status_line(out, reply.status);
  append_header(out, "Date", http_date(wall_ms));
  append_headers(out, common);
  append_headers(out, reply.headers);
  if (!reply.content_type.empty()) append_header(out, "Content-Type", reply.content_type);
  bool without_length = reply.status == 204 || reply.status == 304 || reply.status < 200;  // RFC 9110 8.6
  if (!without_length) append_header(out, "Content-Length", std::to_string(reply.body.size()));
  if (!connection.empty()) append_header(out, "Connection", connection);
  out += "\r\n";
  return out;
}

}  // namespace tokenrelay::http
