#include "service/client/body_decoder.h"

#include <algorithm>
#include <array>
#include <new>

namespace tokenrelay::client {
namespace {

constexpr int with_gzip = 16 + MAX_WBITS, with_zlib = MAX_WBITS, bare = -MAX_WBITS;

thread_local std::array<char, 16 << 10> output;  // shared: a piece is taken before the next is made

// A zlib header's first byte (RFC 1950 2.2): the method deflate, a window of at most 32 KiB. The bare format begins so
// only with a stored block that has bits set which every encoder leaves at 0.
bool begins_zlib(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return (byte & 0x0f) == 8 && byte >> 4 <= 7;
}

}  // namespace

// `utf-8` and `none` are mistakes that servers make; their bodies are plain.
BodyDecoder::Coding BodyDecoder::coding_of(std::string_view content_encoding) {
  for (const std::string_view plain : {"", "identity", "none", "utf-8", "utf8"}) {
    if (content_encoding == plain) return Coding::none;
  }
  if (content_encoding == "gzip" || content_encoding == "x-gzip") return Coding::gzip;
  return content_encoding == "deflate" ? Coding::deflate : Coding::unknown;
}

BodyDecoder::BodyDecoder(Coding coding) : coding_(coding) {
  if (inflateInit2(&zlib_, coding == Coding::gzip ? with_gzip : with_zlib) != Z_OK) throw std::bad_alloc();
}

BodyDecoder::~BodyDecoder() {
  inflateEnd(&zlib_);
}

BodyDecoder::Piece BodyDecoder::next(std::string_view& input) {
  while (state_ != State::broken && (has_more_ || !input.empty())) {
    if (!has_more_ && state_ != State::inside && !begin(input)) break;
    size_t made = 0;
    if (!unpack(input, made)) state_ = State::broken;
    if (made > 0) return {Kind::bytes, {output.data(), made}};
  }
  return {state_ == State::broken ? Kind::bad : Kind::more, {}};
}

// A gzip file may have several members. What follows the last one and is none is padding: every tool ignores it. False:
// nothing is left to unpack.
bool BodyDecoder::begin(std::string_view& input) {
  const bool first = state_ == State::before;
  if (!first && (coding_ != Coding::gzip || input.front() != '\x1f')) {
    input = {};
    return false;
  }
  const int bits = coding_ == Coding::gzip ? with_gzip : begins_zlib(input.front()) ? with_zlib : bare;
  inflateReset2(&zlib_, bits);
  state_ = State::inside;
  return true;
}

bool BodyDecoder::unpack(std::string_view& input, size_t& made) {
  // zlib does not write to its input; its interface is older than const.
  zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  zlib_.avail_in = static_cast<uInt>(std::min<size_t>(input.size(), 1u << 30));
  const size_t given = zlib_.avail_in;
  zlib_.next_out = reinterpret_cast<Bytef*>(output.data());
  zlib_.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&zlib_, Z_SYNC_FLUSH);
  input.remove_prefix(given - zlib_.avail_in);
  made = output.size() - zlib_.avail_out;
  has_more_ = result == Z_OK && zlib_.avail_out == 0;
  if (result == Z_STREAM_END) state_ = State::after;
  return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

}  // namespace tokenrelay::client
