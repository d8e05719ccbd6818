// Bodies in a content coding, as a server packs them.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

enum class Format { gzip, zlib, bare };

// With a flush after every `flush_every` bytes, as servers of events do it.
inline std::string packed(std::string_view bytes, Format format, size_t flush_every = std::string_view::npos) {
  z_stream zlib{};
  const int bits = format == Format::gzip ? 16 + MAX_WBITS : format == Format::zlib ? MAX_WBITS : -MAX_WBITS;
  deflateInit2(&zlib, Z_BEST_COMPRESSION, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY);
  std::string out;
  bool over = false;
  while (!over) {
    std::string piece(bytes.substr(0, flush_every));
    bytes.remove_prefix(piece.size());
    over = bytes.empty();
    zlib.next_in = reinterpret_cast<Bytef*>(piece.data());
    zlib.avail_in = static_cast<uInt>(piece.size());
    do {
      char room[4096];
      zlib.next_out = reinterpret_cast<Bytef*>(room);
      zlib.avail_out = sizeof room;
      deflate(&zlib, over ? Z_FINISH : Z_SYNC_FLUSH);
      out.append(room, sizeof room - zlib.avail_out);
    } while (zlib.avail_out == 0);
  }
  deflateEnd(&zlib);
  return out;
}
