# Draws results-VERSION.svg, to be read at 400 pixels, too. The program soak sets: data, image, broker. The file has three blocks: minutes,
# memory of the publisher and of both workers, rate; the minutes of cut connections; the minutes of freezes.
set encoding utf8
set terminal svg size 800, 760 enhanced font 'sans-serif,20' background rgb 'white'
set output image
set lmargin at screen 0.11
set rmargin at screen 0.97
set grid ytics linetype 1 linecolor rgb '#dddddd'
set border 3
set tics nomirror
set yrange [0:*]
stats data index 0 using 1 nooutput
set xrange [0:STATS_max]
set multiplot
set label 1 '{/:Bold Publish and work over a failing network, RabbitMQ '.broker.'}' at screen 0.02, 0.965 font ',24'

set label 2 '{/:Bold Resident memory (MB)}' at screen 0.02, 0.905
set tmargin at screen 0.875
set bmargin at screen 0.6
set format x ''
set key at screen 0.96, 0.66 right center horizontal samplen 1 width -3
set yrange [0:*]
set ytics 0, 4
plot data index 0 using 1:2 with lines linewidth 2 linecolor rgb '#2f6f9f' title 'publisher', \
     '' index 0 using 1:3 with lines linewidth 2 linecolor rgb '#4c9f70' title 'worker 1', \
     '' index 0 using 1:4 with lines linewidth 2 linecolor rgb '#c8553d' title 'worker 2'
unset label 1

set label 2 '{/:Bold Tasks done per second, and faults}' at screen 0.02, 0.535
set tmargin at screen 0.505
set bmargin at screen 0.19
set format x '%g'
set xlabel 'minutes' offset 0, 0.6
set key at screen 0.97, 0.03 right center horizontal maxrows 1 samplen 1 width -2
set ytics 0, 200
stats data index 0 using 5 nooutput
top = STATS_max * 1.15
set yrange [0:top]
plot data index 0 using 1:5 with lines linewidth 2 linecolor rgb '#555555' title 'tasks', \
     '' index 1 using 1:(top * 0.97):(0):(top * 0.03) with vectors nohead linewidth 1.5 linecolor rgb '#c8553d' title 'connections cut', \
     '' index 2 using 1:(top * 0.91):(0):(top * 0.03) with vectors nohead linewidth 1.5 linecolor rgb '#2f6f9f' title 'network frozen'
unset multiplot
