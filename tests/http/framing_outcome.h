// What a Framer makes of some bytes, as text, so that two ways of feeding them can be compared.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "service/http/framing.h"

namespace tokenrelay::http {

inline std::string describe(const Request& request) {
  std::string out = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) out += " ?" + name + "=" + value;
  for (const auto& [name, value] : request.headers) out += " " + name + ":" + value;
  out += request.http10 ? " 1.0" : "";
  out += request.keep_alive ? "" : " close";
  out += request.has_length ? " body=" + request.body : "";
  return out + "\n";
}

// `step` says how many of the bytes that are left to feed at once.
inline std::string outcome(std::string_view bytes, const std::function<size_t(size_t left)>& step,
                           const FramingLimits& limits = {}) {
  std::string out;
  auto framer = std::make_unique<Framer>(limits);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step(bytes.size()));
    while (!piece.empty()) {
      size_t taken = framer->feed(piece);
      piece.remove_prefix(taken);
      bytes.remove_prefix(taken);
      if (framer->state() == Framer::State::failed) {
        return out + std::string(name_of(framer->error().code)) + ": " + framer->error().detail + "\n";
      }
      if (framer->state() != Framer::State::complete) continue;
      out += describe(framer->request());
      framer = std::make_unique<Framer>(limits);
    }
  }
  switch (framer->state()) {
    case Framer::State::empty:
      return out;
    case Framer::State::head:
      return out + "head\n";
    default:
      return out + (framer->wants_continue() ? "continue\n" : "body\n");
  }
}

inline std::string all_at_once(std::string_view bytes, const FramingLimits& limits = {}) {
  return outcome(
      bytes, [](size_t left) { return left; }, limits);
}

inline std::string byte_by_byte(std::string_view bytes, const FramingLimits& limits = {}) {
  return outcome(
      bytes, [](size_t) { return size_t{1}; }, limits);
}

}  // namespace tokenrelay::http
