#include "core/cli/commands.hpp"
#include "core/cli/pipeline_context.hpp"

#include <iostream>

namespace certcast {

int plugins_command(const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, true);
    for (const Library* library : catalog.all()) {
        for (const Descriptor& deployer : library->deployers) {
            std::cout << padded(deployer.id, 24) << ' ' << padded(deployer.version, 10) << ' '
                      << padded(filter.line(deployer.name), 44) << ' ' << "needs "
                      << needs_in_words(deployer) << "; " << filter.line(library->path.string())
                      << '\n';
        }
    }
    print_problems(catalog, filter);
    return exit_good;
}

}  // namespace certcast
