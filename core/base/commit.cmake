# Writes the commit of the source tree to OUTPUT as a header, touching the file only when the commit changed.
# cmake -DSOURCE=<tree> -DOUTPUT=<header> -P commit.cmake
cmake_minimum_required(VERSION 3.25)
set(commit unknown)
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude *
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit ${described})
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define LATENT_COMMIT \"@commit@\"\n" @ONLY)
