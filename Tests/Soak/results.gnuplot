# Draws results.svg. The program soak sets: data, image.
set encoding utf8
set terminal svg size 1000, 420 noenhanced font 'sans-serif,13' background rgb 'white'
set output image
set title 'Publishing and working over a network that fails every few seconds'
set xlabel 'minutes'
set ylabel 'resident memory in MB'
set y2label 'tasks done per second'
set yrange [0:*]
set y2range [0:*]
set ytics nomirror
set y2tics
set grid ytics linetype 1 linecolor rgb '#dddddd'
set key outside bottom center horizontal
plot data using 1:5 axes x1y2 with lines linecolor rgb '#bbbbbb' title 'tasks per second (right)', \
     '' using 1:2 with lines linewidth 2 linecolor rgb '#4c72b0' title 'publisher', \
     '' using 1:3 with lines linewidth 2 linecolor rgb '#4c9f70' title 'worker 1', \
     '' using 1:4 with lines linewidth 2 linecolor rgb '#c8553d' title 'worker 2'
