// The embedded page: complete, self-contained, and within its own content security policy.
#include <regex>
#include <set>
#include <string>

#include "service/web/assets.h"
#include "tests/support/catch.h"

namespace tokenrelay::web {
namespace {

const Asset* asset_at(std::string_view path) {
  for (const Asset& asset : assets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

TEST_CASE("the page and what it needs are embedded under their types", "[web]") {
  REQUIRE(asset_at("/") != nullptr);
  CHECK(asset_at("/")->content_type == "text/html; charset=utf-8");
  CHECK(asset_at("/index.html") == nullptr);
  for (const Asset& asset : assets()) {
    INFO(asset.path);
    CHECK_FALSE(asset.bytes.empty());
    if (ends_with(asset.path, ".js")) CHECK(asset.content_type == "text/javascript; charset=utf-8");
    if (ends_with(asset.path, ".css")) CHECK(asset.content_type == "text/css; charset=utf-8");
    if (ends_with(asset.path, ".svg")) CHECK(asset.content_type == "image/svg+xml");
  }
}

TEST_CASE("every asset has a strong entity tag of its own", "[web]") {
  const std::regex strong("\"[0-9a-f]{32}\"");
  std::set<std::string> tags;
  for (const Asset& asset : assets()) {
    INFO(asset.path);
    CHECK(std::regex_match(std::string(asset.etag), strong));
    CHECK(tags.insert(std::string(asset.etag)).second);
  }
}

TEST_CASE("bytes are embedded exactly, beyond ASCII too", "[web]") {
  const std::string_view page = asset_at("/")->bytes;
  CHECK(page.substr(0, 15) == "<!doctype html>");
  CHECK(page.find("“durable before visible”") != page.npos);
  CHECK(ends_with(page, "</html>\n"));
}

TEST_CASE("the page refers to embedded files only", "[web]") {
  const std::regex reference("(?:src|href)=\"([^\"]*)\"|from '([^']*)'");
  size_t found = 0;
  for (const Asset& asset : assets()) {
    const std::string text(asset.bytes);
    for (std::sregex_iterator match(text.begin(), text.end(), reference), end; match != end; ++match) {
      std::string path = (*match)[1].matched ? (*match)[1].str() : (*match)[2].str();
      if (path.substr(0, 2) == "./") path = path.substr(1);
      INFO(asset.path << " refers to " << path);
      CHECK(asset_at(path) != nullptr);
      ++found;
    }
  }
  CHECK(found > 5);
}

TEST_CASE("the page keeps to its content security policy", "[web]") {
  CHECK(content_security_policy.find("default-src 'none'") != std::string_view::npos);
  CHECK(content_security_policy.find("unsafe") == std::string_view::npos);
  const std::string page(asset_at("/")->bytes);
  CHECK_FALSE(std::regex_search(page, std::regex("<style|\\sstyle=|\\son[a-z]+=|javascript:")));
  CHECK_FALSE(std::regex_search(page, std::regex("<script(?![^>]*\\ssrc=)")));
  for (const Asset& asset : assets()) {
    if (!ends_with(asset.path, ".js")) continue;
    INFO(asset.path);
    CHECK(asset.bytes.find("innerHTML") == asset.bytes.npos);
    CHECK(asset.bytes.find("insertAdjacentHTML") == asset.bytes.npos);
    CHECK(asset.bytes.find("eval(") == asset.bytes.npos);
  }
}

}  // namespace
}  // namespace tokenrelay::web
