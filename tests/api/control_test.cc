#include "service/api/control.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using relay::Refusal;

TEST_CASE("each refusal of a command has its status, its code and its words", "[control]") {
  struct Expected {
    Refusal refusal;
    int status;
    std::string code;
  };
  for (const auto& [refusal, status, code] :
       {Expected{Refusal::stream_ended, 409, "stream_ended"},
        Expected{Refusal::too_long, 413, std::string(http::name_of(api::code_of(Refusal::too_long)))},
        Expected{Refusal::too_many, 409, "steer_limit"}, Expected{Refusal::log_unavailable, 503, "log_unavailable"}}) {
    const auto reply = http::problem(api::code_of(refusal), api::detail_of(refusal), "req_1");
    CHECK(reply.status == status);
    const auto body = json::parse(reply.body);
    REQUIRE(body);
    CHECK(body->at("code") == code);
    CHECK(body->at("status") == status);
    CHECK_FALSE(body->at("detail").get<std::string>().empty());
  }
}
