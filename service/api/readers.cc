#include "service/api/readers.h"

#include "service/api/sse_reader.h"

namespace tokenrelay::api {

Readers::Readers(transport::Loop& loop) : loop_(loop), alive_(std::make_shared<bool>(true)) {}

Readers::~Readers() { *alive_ = false; }

SseReader& Readers::keep(std::unique_ptr<SseReader> reader) {
  SseReader& kept = *reader;
  readers_.emplace(&kept, std::move(reader));
  return kept;
}

void Readers::release(SseReader& reader) {
  loop_.post([this, alive = alive_, which = &reader] {
    if (*alive) readers_.erase(which);
  });
}

}  // namespace tokenrelay::api
