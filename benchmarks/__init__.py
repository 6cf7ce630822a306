"""How fast dvae_ref is: beside other libraries, beside another commit, on a GPU; and how densely it is written.

    __main__ -> cases, training    a Case: the same work by several contenders, named as "module:function"
             -> timing             contenders take turns; medians, ratios, deviations of their answers
             -> processes, worker  each in a process of its own, stopped while another one has the turn
             -> report             for people
    ours, peers_*                  the contenders: a function makes a run
    step                           a training step as plain data, which needs no dvae_ref to be read
    against -> rows, either        the same with two trees of ours, now and before
    parts, scaling                 of ours alone: where a spin's time goes, how cost grows
    gpu -> gpu_parts               what only a GPU can say, as JSON
    computer, machines             what measures, and RBMs to measure with
    reading                        lines, tricks and doc lines, by room and commit

`against` runs this folder with older commits of dvae_ref: what it imports of them goes through `either`, or has had one
name for long.
"""
