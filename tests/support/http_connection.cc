#include "tests/support/http_connection.h"

#include <strings.h>

#include <charconv>

namespace tokenrelay::support {
namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool names(const Fields& fields, std::string_view name) {
  for (const auto& [n, v] : fields) {
    if (same(n, name)) return true;
  }
  return false;
}

Head parse_head(std::string_view text) {
  Head head;
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const std::string line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (first) {
      first = false;
      head.version = line.substr(0, line.find(' '));
      if (line.size() > 12) head.status = std::atoi(line.c_str() + 9), head.reason = line.substr(12);
    } else if (const auto colon = line.find(':'); colon != std::string::npos) {
      const auto value = line.find_first_not_of(" \t", colon + 1);
      head.fields.emplace_back(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value));
    }
  }
  return head;
}

}  // namespace

std::optional<std::string> Head::get(std::string_view name) const {
  for (const auto& [n, v] : fields) {
    if (same(n, name)) return v;
  }
  return std::nullopt;
}

size_t Head::count(std::string_view name) const {
  size_t n = 0;
  for (const auto& f : fields) n += same(f.first, name) ? 1 : 0;
  return n;
}

std::string_view name_of(BodyEnd end) {
  constexpr std::string_view names[] = {"open", "clean", "fin", "reset", "timeout"};
  return names[static_cast<int>(end)];
}

std::string bytes_of(const Request& request, uint16_t port) {
  std::string out = request.method + " " + request.target + " " + request.version + "\r\n";
  if (!names(request.fields, "Host")) out += "Host: 127.0.0.1:" + std::to_string(port) + "\r\n";
  const bool framed = names(request.fields, "Content-Length") || names(request.fields, "Transfer-Encoding");
  if (!framed && (!request.body.empty() || request.method == "POST")) {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : request.fields) out += name + ": " + value + "\r\n";
  return out + "\r\n" + request.body;
}

bool HttpConnection::send(const Request& request) {
  method_ = request.method;
  return send(bytes_of(request, port_));
}

std::optional<Head> HttpConnection::read_head(Deadline deadline) {
  for (;;) {
    if (const auto blank = pending_.find("\r\n\r\n"); blank != std::string::npos) {
      Head head = parse_head(std::string_view(pending_).substr(0, blank));
      pending_.erase(0, blank + 4);
      set_framing(head);
      return head;
    }
    switch (socket_.receive(pending_, deadline)) {
      case Got::bytes:
        continue;
      case Got::fin:
        end_ = BodyEnd::fin;
        return std::nullopt;
      case Got::reset:
        end_ = BodyEnd::reset;
        return std::nullopt;
      case Got::timeout:
        end_ = BodyEnd::timeout;
        return std::nullopt;
    }
  }
}

void HttpConnection::set_framing(const Head& head) {
  end_ = BodyEnd::open;
  in_chunk_ = false;
  const auto length = head.get("Content-Length");
  if (method_ == "HEAD" || head.status / 100 == 1 || head.status == 204 || head.status == 304) {
    framing_ = Framing::none;
    end_ = BodyEnd::clean;
  } else if (head.get("Transfer-Encoding")) {
    framing_ = Framing::chunked;
  } else if (length) {
    framing_ = Framing::length;
    left_ = std::strtoull(length->c_str(), nullptr, 10);
    if (left_ == 0) end_ = BodyEnd::clean;
  } else {
    framing_ = Framing::close;
  }
}

bool HttpConnection::take_chunked(std::string& body) {
  if (in_chunk_) {
    const size_t n = std::min<uint64_t>(left_, pending_.size());
    body.append(pending_, 0, n);
    pending_.erase(0, n);
    left_ -= n;
    if (left_ > 0 || pending_.size() < 2) return n > 0;
    pending_.erase(0, 2);  // the chunk's CRLF
    in_chunk_ = false;
    return true;
  }
  const auto end = pending_.find("\r\n");
  if (end == std::string::npos) return false;
  uint64_t size = 0;
  std::from_chars(pending_.data(), pending_.data() + end, size, 16);
  if (size == 0) {
    const auto last = pending_.find("\r\n\r\n");
    if (last == std::string::npos) return false;
    pending_.erase(0, last + 4);
    end_ = BodyEnd::clean;
    return true;
  }
  pending_.erase(0, end + 2);
  left_ = size;
  in_chunk_ = true;
  return true;
}

bool HttpConnection::take(std::string& body) {
  if (framing_ == Framing::chunked) return take_chunked(body);
  const size_t n = framing_ == Framing::length ? std::min<uint64_t>(left_, pending_.size()) : pending_.size();
  if (n == 0) return false;
  body.append(pending_, 0, n);
  pending_.erase(0, n);
  if (framing_ == Framing::length && (left_ -= n) == 0) end_ = BodyEnd::clean;
  return true;
}

BodyEnd HttpConnection::read_some(std::string& body, Deadline deadline) {
  if (end_ == BodyEnd::timeout) end_ = BodyEnd::open;
  if (end_ != BodyEnd::open) return end_;
  const size_t before = body.size();
  while (end_ == BodyEnd::open && take(body)) {
  }
  if (end_ != BodyEnd::open || body.size() > before) return end_;
  switch (socket_.receive(pending_, deadline)) {
    case Got::bytes:
      break;
    case Got::fin:
      end_ = framing_ == Framing::close ? BodyEnd::clean : BodyEnd::fin;
      break;
    case Got::reset:
      end_ = BodyEnd::reset;
      break;
    case Got::timeout:
      end_ = BodyEnd::timeout;
      break;
  }
  while (end_ == BodyEnd::open && take(body)) {
  }
  return end_;
}

std::string HttpConnection::read_body(Deadline deadline) {
  std::string body;
  while (read_some(body, deadline) == BodyEnd::open) {
  }
  return body;
}

bool HttpConnection::closes(Deadline deadline) {
  if (!pending_.empty()) return false;
  const Got got = socket_.receive(pending_, deadline);
  return got == Got::fin || got == Got::reset;
}

Response fetch(uint16_t port, const Request& request, Deadline deadline) {
  Response response;
  HttpConnection connection(port);
  if (!connection.open()) return response;
  connection.send(request);
  auto head = connection.read_head(deadline);
  while (head && head->status / 100 == 1) head = connection.read_head(deadline);
  if (head) {
    response.head = *head;
    response.status = head->status;
    response.body = connection.read_body(deadline);
  }
  response.end = connection.end();
  return response;
}

}  // namespace tokenrelay::support
