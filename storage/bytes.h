// Fixed-width integers in byte strings, little-endian, as every stored form here uses them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace tokenrelay::storage {

static_assert(std::endian::native == std::endian::little, "the stored forms are little-endian");

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
void put_at(std::string& out, size_t offset, T value) {
  std::memcpy(out.data() + offset, &value, sizeof value);
}

template <typename T>
T get(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace tokenrelay::storage
