# certcast_add_plugin(NAME SOURCES FILE... [LIBRARIES TARGET...] [OUTPUT_DIRECTORY FOLDER] [NO_INSTALL])
#
# Makes NAME.so, a plugin that exports the one symbol of the ABI, from sources in C++20 or C11. The
# target is called plugin_NAME. It is installed into lib/certcast/plugins.
function(certcast_add_plugin name)
    cmake_parse_arguments(ARG "NO_INSTALL" "OUTPUT_DIRECTORY" "SOURCES;LIBRARIES" ${ARGN})
    if(ARG_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "certcast_add_plugin: unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT ARG_SOURCES)
        message(FATAL_ERROR "certcast_add_plugin(${name}) needs SOURCES")
    endif()
    if(NOT ARG_OUTPUT_DIRECTORY)
        set(ARG_OUTPUT_DIRECTORY ${CERTCAST_PLUGIN_OUTPUT_DIRECTORY})
    endif()

    set(target plugin_${name})
    set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
    add_library(${target} MODULE ${ARG_SOURCES})
    set_target_properties(${target} PROPERTIES
        PREFIX ""
        OUTPUT_NAME ${name}
        C_VISIBILITY_PRESET hidden
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON
        LINK_DEPENDS ${map})
    if(ARG_OUTPUT_DIRECTORY)
        set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${ARG_OUTPUT_DIRECTORY})
    endif()
    if(CMAKE_CXX_COMPILER_LOADED)
        target_compile_features(${target} PRIVATE cxx_std_20)
        # Unique symbols would be shared with whatever else is in the process.
        target_compile_options(${target} PRIVATE
            $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
    endif()
    target_link_libraries(${target} PRIVATE certcast::sdk ${ARG_LIBRARIES})
    if(TARGET certcast_settings)
        target_link_libraries(${target} PRIVATE certcast_settings)
    endif()
    target_link_options(${target} PRIVATE
        -Wl,--version-script,${map} -Wl,-z,relro -Wl,-z,now)
    # The sanitizers' own symbols come from the program that loads the plugin.
    if(NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=")
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
    set_property(GLOBAL APPEND PROPERTY CERTCAST_PLUGIN_TARGETS ${target})
    if(NOT ARG_NO_INSTALL)
        install(TARGETS ${target} LIBRARY DESTINATION lib/certcast/plugins COMPONENT plugins)
    endif()
endfunction()
