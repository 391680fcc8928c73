#include "tests/cases/case.h"

namespace fer::test {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

AddCases::AddCases(std::vector<Case> more) {
  for (Case& one : more) {
    cases().push_back(std::move(one));
  }
}

}  // namespace fer::test
