// Command argohealth runs an Argo CD health script as Argo CD runs one from its
// ConfigMap: in gopher-lua, with the base and table libraries and no other, for
// at most a second. It reads a JSON list of objects and writes a JSON list of
// {"status", "message"}.
//
//	argohealth health.lua <objects.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

var statuses = []string{"Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: argohealth SCRIPT <objects.json")
	}
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var objects []any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatalf("standard input is no JSON list of objects: %v", err)
	}
	answers := make([]health, 0, len(objects))
	for number, object := range objects {
		answer, err := run(string(script), object)
		if err != nil {
			log.Fatalf("object %d: %v", number, err)
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func run(script string, object any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return health{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	return answer(state.Get(-1))
}

func answer(value lua.LValue) (health, error) {
	if value.Type() != lua.LTTable {
		return health{}, fmt.Errorf("the script returns a %s, not a table", value.Type())
	}
	text, err := luajson.Encode(value)
	if err != nil {
		return health{}, err
	}
	var said health
	if err := json.Unmarshal(text, &said); err != nil {
		return health{}, err
	}
	if !slices.Contains(statuses, said.Status) {
		return health{}, fmt.Errorf("the script returns %q, which is no health status", said.Status)
	}
	return said, nil
}
