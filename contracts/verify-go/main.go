// Command verify checks receipt capsules offline, from docs/protocol.md alone: it shares no code with the services.
//
//	go run . -trust trust.json capsule.json ...
//
// One line of JSON a file; exit code 0 only where everything in every file is proved.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
)

type answer struct {
	File    string   `json:"file"`
	Verdict *Verdict `json:"verdict,omitempty"`
	Refusal string   `json:"refusal,omitempty"`
	Detail  string   `json:"detail,omitempty"`
}

func main() {
	trustPath := flag.String("trust", "trust.json", "whom you trust: docs/protocol.md §12")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "name the capsules to check")
		os.Exit(2)
	}
	trust, err := readTrust(*trustPath)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := 0
	out := json.NewEncoder(os.Stdout)
	for _, path := range flag.Args() {
		given := answer{File: path}
		data, err := os.ReadFile(path)
		if err == nil {
			given.Verdict, err = verify(data, trust)
		}
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			given.Refusal, given.Detail = refusal.Word, refusal.Detail
		case err != nil:
			given.Refusal, given.Detail = "unreadable", err.Error()
		}
		if err != nil {
			code = 1
		}
		if err := out.Encode(given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(code)
}
