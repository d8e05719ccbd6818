#include "service/api/readers.h"

#include <algorithm>
#include <vector>

namespace tokenrelay::api {

Readers::Readers(transport::Loop& loop) : loop_(loop) {}

Readers::~Readers() {
  alive_.end();  // before the readers go
}

void Readers::keep(std::unique_ptr<Reader> reader) {
  Reader* kept = reader.get();
  readers_.emplace(kept, std::move(reader));
}

size_t Readers::waiting() const {
  return static_cast<size_t>(
      std::count_if(readers_.begin(), readers_.end(), [](const auto& entry) { return entry.first->awaits_events(); }));
}

void Readers::leave_all() {
  std::vector<Reader*> all;  // released ones are destroyed later, so the pointers stay valid
  for (const auto& [reader, owned] : readers_) all.push_back(reader);
  for (Reader* reader : all) reader->leave();
}

void Readers::release(Reader& reader) {
  loop_.post([this, here = alive_.mark(), which = &reader] {
    if (here) readers_.erase(which);
  });
}

}  // namespace tokenrelay::api
