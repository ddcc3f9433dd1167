/* Lua runs a script of this folder: a function of a size, whose text that it returns is the result. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

static const struct script {
	const char *name, *text;
} scripts[] = {
#include "lua_scripts.h" /* made by unpack.py of the files *.lua */
};

static const char *find_script(const char *name)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (strcmp(scripts[i].name, name) == 0)
			return scripts[i].text;
	return "";
}

/* What needs no files. */
static void open_libraries(lua_State *lua)
{
	static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
	                                     {LUA_TABLIBNAME, luaopen_table},
	                                     {LUA_STRLIBNAME, luaopen_string},
	                                     {LUA_MATHLIBNAME, luaopen_math}};
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
		lua_pop(lua, 1);
	}
}

void program_lua(struct trial *t)
{
	lua_State *lua = luaL_newstate();
	if (!lua)
		abort();
	open_libraries(lua);
	int rc = luaL_loadstring(lua, find_script(trial_name(t)));
	lua_pushboolean(lua, SIZE(0, 1));
	trial_begin(t);
	if (rc == LUA_OK)
		rc = lua_pcall(lua, 1, 1, 0);
	trial_end(t);
	size_t size = 0;
	const char *text = lua_tolstring(lua, -1, &size);
	if (rc != LUA_OK || !text) {
		fprintf(stderr, "%s: %s\n", trial_name(t), text ? text : "no result");
		exit(1);
	}
	char *result = trial_array(t, (size + 3) / 4 * 4);
	memcpy(result, text, size);
	trial_result(t, result, (size + 3) / 4 * 4);
	lua_close(lua);
}
