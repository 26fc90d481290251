// Read by clang-tidy before every file. clang 14 instantiates the constexpr destructor of
// libstdc++ 12's vector while it asks whether std::pair<std::string, Value> is implicitly default
// constructible, and then finds that pair incomplete. g++ does not; the answer is given here.
#ifdef __cplusplus
#include <type_traits>

namespace certcast {
struct Value;
}
template <>
struct std::__is_implicitly_default_constructible_safe<certcast::Value> : std::true_type {};
#endif
