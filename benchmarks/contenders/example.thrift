service Example {
    map<string, i32> bar(1: string name, 2: i32 value)
    binary echo(1: binary blob)
}
