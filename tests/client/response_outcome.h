// Everything a ResponseReader says of some bytes, however they are split, for comparing.
#pragma once

#include <string>
#include <vector>

#include "service/client/response_reader.h"

struct Outcome {
  int status = 0, heads = 0;
  std::string content_type, body, left;  // left: behind the response
  bool ended = false, bad = false, by_close = false, keeps = false;

  bool operator==(const Outcome&) const = default;
};

// Feeds `piece` from its own memory; false when the response is over, or none.
inline bool feed(tokenrelay::client::ResponseReader& reader, const std::string& piece, Outcome& out) {
  using Kind = tokenrelay::client::ResponseReader::Kind;
  std::string_view input = piece;
  for (;;) {
    const auto got = reader.next(input);
    if (got.kind == Kind::head) {
      ++out.heads;
      out.status = reader.head().status;
      out.content_type = reader.head().content_type;
    }
    if (got.kind == Kind::body) out.body += got.bytes;
    if (got.kind == Kind::more) return true;
    if (got.kind == Kind::bad) out.bad = true;
    if (got.kind != Kind::end && got.kind != Kind::bad) continue;
    if (got.kind == Kind::end) out.left = input;
    out.ended = got.kind == Kind::end;
    return false;
  }
}

inline Outcome outcome_in(const std::vector<std::string>& pieces) {
  tokenrelay::client::ResponseReader reader(tokenrelay::transport::system_clock());
  Outcome out;
  bool goes_on = true;
  for (const std::string& piece : pieces) {
    if (goes_on) {
      goes_on = feed(reader, piece, out);
    } else if (out.ended) {
      out.left += piece;
    }
  }
  out.by_close = goes_on && reader.ends_by_close();
  out.keeps = out.ended && reader.keeps_connection();
  return out;
}

inline Outcome outcome_of(const std::string& bytes, size_t read) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < bytes.size(); at += read) pieces.push_back(bytes.substr(at, read));
  return outcome_in(pieces);
}

inline Outcome outcome_of_two(const std::string& bytes, size_t at) {
  return outcome_in({bytes.substr(0, at), bytes.substr(at)});
}
