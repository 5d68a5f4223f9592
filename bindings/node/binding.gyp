{
  "variables": {
    # Where the library and its header are: a checkout has them two folders up; a script may say otherwise.
    "eventsource_include%": "<!(node scripts/where.cjs include)",
    "eventsource_library%": "<!(node scripts/where.cjs library)",
  },
  "targets": [
    {
      "target_name": "eventsource",
      "sources": ["src/addon.c"],
      "include_dirs": ["<(eventsource_include)"],
      "libraries": ["<(eventsource_library)"],
      "cflags": ["-std=gnu11", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "conditions": [
        ["OS=='linux'", {
          # A lookup thread may outlive the environment: never unloaded. Two copies in a process share no symbols.
          "ldflags": ["-Wl,-z,nodelete", "-Wl,--exclude-libs,ALL", "-Wl,--as-needed", "-Wl,--gc-sections"],
          "libraries": ["-lpthread", "-ldl", "-lm"],
        }],
        ["OS=='mac'", {
          "xcode_settings": {
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "OTHER_LDFLAGS": ["-Wl,-dead_strip"],
          },
          "libraries": ["-framework Security", "-framework CoreFoundation"],
        }],
        ["OS=='win'", {
          "libraries": ["ws2_32.lib", "bcrypt.lib", "crypt32.lib", "ntdll.lib", "userenv.lib", "secur32.lib"],
        }],
      ],
    },
  ],
}
