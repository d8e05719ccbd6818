#include "service/upstream/secrets.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "service/text/ascii.h"
#include "service/text/base64.h"

namespace tokenrelay::upstream {
namespace {

using std::string_view;
using Strings = std::vector<std::string>;

constexpr string_view mask = "***";
constexpr size_t telling_bytes = 8;  // a shorter value may be a common word: it is hidden only behind its header's name

bool is_alphanumeric(char c) {
  return text::is_digit(c) || (text::to_lower(c) >= 'a' && text::to_lower(c) <= 'z');
}

bool is_base64(char c) {
  return is_alphanumeric(c) || string_view("+/-_=").find(c) != string_view::npos;
}

std::string in_hex(string_view bytes, bool upper) {
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string in_percent(string_view bytes, bool upper) {
  std::string out;
  for (const char c : bytes) {
    if (is_alphanumeric(c) || string_view("-._~").find(c) != string_view::npos) {
      out += c;
    } else {
      out += '%' + in_hex({&c, 1}, upper);
    }
  }
  return out;
}

// The letters that these bytes alone decide when `before` others stand in front of them.
std::string in_base64(string_view bytes, size_t before) {
  const std::string all = text::base64(std::string(before, '\0') + std::string(bytes));
  const size_t first = (before * 8 + 5) / 6, last = (before + bytes.size()) * 8 / 6;
  return all.substr(first, last - first);
}

void replace_all(std::string& in, string_view what) {
  for (size_t at = 0; !what.empty() && (at = in.find(what, at)) != in.npos; at += mask.size()) {
    in.replace(at, what.size(), mask);
  }
}

// The whole run of letters goes: what stands around is part of the same secret ("user:key").
void replace_base64(std::string& in, string_view letters) {
  for (size_t at = 0; (at = in.find(letters, at)) != in.npos; at += mask.size()) {
    size_t end = at + letters.size();
    while (end < in.size() && is_base64(in[end])) ++end;
    while (at > 0 && is_base64(in[at - 1])) --at;
    in.replace(at, end - at, mask);
  }
}

void hide_secret(std::string& in, string_view secret) {
  if (secret.empty()) return;
  if (secret.size() >= telling_bytes) {
    for (size_t before = 0; before < 3; ++before) {
      std::string letters = in_base64(secret, before);
      replace_base64(in, letters);
      std::replace(letters.begin(), letters.end(), '+', '-');
      std::replace(letters.begin(), letters.end(), '/', '_');
      replace_base64(in, letters);
    }
    for (const bool upper : {false, true}) replace_all(in, in_hex(secret, upper));
    for (const bool upper : {false, true}) replace_all(in, in_percent(secret, upper));
  }
  replace_all(in, secret);
}

// "X-Team: chat", X-Team=chat, {"x-team":"chat"}.
void hide_behind_name(std::string& in, string_view name, string_view value) {
  const std::string lowered = text::lower(in), wanted = text::lower(name);
  for (size_t at = lowered.rfind(wanted); at != lowered.npos; at = at == 0 ? in.npos : lowered.rfind(wanted, at - 1)) {
    size_t from = at + wanted.size();
    while (from < in.size() && string_view(" \"'=:[,").find(in[from]) != string_view::npos) ++from;
    if (!value.empty() && in.compare(from, value.size(), value) == 0) in.replace(from, value.size(), mask);
  }
}

void hide_header(std::string& in, string_view name, string_view value) {
  if (value.size() < telling_bytes) return hide_behind_name(in, name, value);
  hide_secret(in, value);
  const string_view token = value.substr(value.rfind(' ') + 1);  // of "Bearer …"; npos + 1: all of it
  if (token.size() >= telling_bytes) hide_secret(in, token);
}

// In any case, and not as a part of a longer name.
void hide_name(std::string& in, string_view name) {
  const auto part = [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; };
  const std::string wanted = text::lower(name);
  std::string lowered = text::lower(in);  // kept in step
  for (size_t at = 0; !wanted.empty() && (at = lowered.find(wanted, at)) != in.npos;) {
    const size_t end = at + wanted.size();
    const bool inside =
        (at > 0 && part(in[at - 1])) || (end < in.size() && (is_alphanumeric(in[end]) || in[end] == '-'));
    for (std::string* text : {&in, &lowered}) {
      if (!inside) text->replace(at, wanted.size(), mask);
    }
    at += inside ? 1 : mask.size();
  }
}

// A path such as /v1 says nothing, and the provider's advice may need it.
bool tells(string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment != "" && segment != "v1" && segment != "v1beta" && segment != "v2" && segment != "api" &&
        segment != "openai") {
      return true;
    }
  }
  return false;
}

void hide_place(std::string& in, string_view base_url) {
  const size_t scheme = base_url.find("://");
  if (scheme == base_url.npos) return;
  base_url.remove_prefix(scheme + 3);
  const string_view authority = base_url.substr(0, base_url.find('/'));
  string_view path = base_url.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  hide_name(in, authority);
  const string_view host = authority.substr(0, authority.rfind(':'));
  if (host.find_first_of(".:") != host.npos) hide_name(in, host);
  if (tells(path)) replace_all(in, path);
}

// "POST /v1/chat/completions HTTP/1.1"
void hide_request_lines(std::string& in) {
  for (size_t version = 0; (version = in.find(" HTTP/", version)) != in.npos; ++version) {
    const size_t space = version == 0 ? in.npos : in.rfind(' ', version - 1);
    if (space == in.npos || in[space + 1] != '/') continue;
    in.replace(space + 1, version - space - 1, mask);
    version = space + mask.size();
  }
}

}  // namespace

std::string without_secrets(std::string text, const ProviderOptions& options) {
  hide_secret(text, options.api_key);
  for (const auto& [name, value] : options.headers) hide_header(text, name, value);
  hide_request_lines(text);
  hide_place(text, options.base_url);
  return text;
}

}  // namespace tokenrelay::upstream
