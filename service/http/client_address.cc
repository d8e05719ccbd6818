#include "service/http/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "service/http/grammar.h"

namespace tokenrelay::http {
namespace {

// IPv4 addresses become IPv4-mapped IPv6 addresses, so that only one kind is compared.
using Bytes = std::array<unsigned char, 16>;

struct Parsed {
  Bytes bytes{};
  bool v4 = false;
};

std::optional<Parsed> parse(std::string_view text) {
  std::string copy(text);
  Parsed out;
  if (inet_pton(AF_INET, copy.c_str(), out.bytes.data() + 12) == 1) {
    out.bytes[10] = out.bytes[11] = 0xff;
    out.v4 = true;
    return out;
  }
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

// "1.2.3.4", "1.2.3.4:567", "[::1]:567", "::1" as proxies write them.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  if (std::count(text.begin(), text.end(), ':') == 1) return text.substr(0, text.find(':'));
  return text;
}

}  // namespace

bool is_trusted(std::string_view address, const std::vector<std::string>& trusted) {
  return std::any_of(trusted.begin(), trusted.end(), [&](const auto& network) { return in_network(address, network); });
}

bool in_network(std::string_view address, std::string_view network) {
  size_t slash = network.find('/');
  auto ours = parse(address);
  auto base = parse(network.substr(0, slash));
  if (!ours || !base || ours->v4 != base->v4) return false;
  int bits = base->v4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    std::string_view digits = network.substr(slash + 1);
    int given = -1;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    if (error != std::errc() || end != digits.data() + digits.size() || given < 0 || given > bits) return false;
    bits = given;
  }
  if (base->v4) bits += 96;
  for (int i = 0; i < bits; ++i) {
    int mask = 0x80 >> (i % 8);
    if ((ours->bytes[i / 8] & mask) != (base->bytes[i / 8] & mask)) return false;
  }
  return true;
}

std::string client_address(const Request& request, const std::string& peer, const std::vector<std::string>& trusted) {
  if (trusted.empty() || !is_trusted(peer, trusted)) return peer;
  std::vector<std::string_view> hops;
  for (const auto& [name, value] : request.headers) {
    if (name != "x-forwarded-for") continue;
    std::string_view list = value;
    while (!list.empty()) hops.push_back(without_port(next_of(list)));
  }
  std::string client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    if (!parse(*hop)) break;  // nothing to the left of it can be trusted either
    client = *hop;
    if (!is_trusted(client, trusted)) break;
  }
  return client;
}

}  // namespace tokenrelay::http
